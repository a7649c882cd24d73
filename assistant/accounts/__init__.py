"""The user's accounts with servers elsewhere: finding the servers, logging in, keeping tokens fresh."""
