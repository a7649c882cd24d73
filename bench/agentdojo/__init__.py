"""AgentDojo's four suites (Debenedetti et al., NeurIPS 2024) as skills of ours, through the real conversation."""
