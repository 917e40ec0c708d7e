"""Training: a recipe and a dataset in, a trained net out, for one net or for many."""
