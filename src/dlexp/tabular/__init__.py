"""Classical methods on tables: statistics, selections and closed-form models."""
