"""Use cases: gather facts, ask the policy, apply the decision, commit. One module a journey; flows never call flows."""
