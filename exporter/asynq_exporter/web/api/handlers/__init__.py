"""One function for each endpoint, one file for each noun.

Each takes the context, what was asked, and who asks; it returns the answer or raises ApiError or AsynqError.
"""
