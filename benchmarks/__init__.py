"""Measures: CPU time an operation of a served process, beside a bare Flask answer on the same server in the same run."""
