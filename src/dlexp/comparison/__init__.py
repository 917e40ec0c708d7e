"""Rivals compared at equal budget and equal tuning."""
