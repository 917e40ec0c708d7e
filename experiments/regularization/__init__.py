"""5. Regularisation"""
