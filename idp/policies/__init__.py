"""Every rule of a credential's life: pure functions of facts, policy and time. Standard library only, no clock, no chance."""
