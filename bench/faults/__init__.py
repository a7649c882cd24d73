"""Ways to hurt the program, shared by `bench.resilience` and the tests: each does one kind of damage and looks."""
