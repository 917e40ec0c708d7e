"""1. Fundamentals of machine learning"""
