"""Similarity of representations: how alike are two sets of features of the same samples?"""
