"""2. Feed-forward networks"""
