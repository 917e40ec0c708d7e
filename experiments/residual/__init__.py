"""7. Residual networks"""
