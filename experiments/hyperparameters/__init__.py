"""3. Basic hyper-parameters"""
