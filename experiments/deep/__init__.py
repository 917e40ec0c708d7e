"""4. Deep learning"""
