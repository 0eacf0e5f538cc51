"""The guide's troubleshooting chapter, run against a live system: findings, evidence, causes, remedies.

    reading  ->  Case  ->  checks (pure)  ->  Report  ->  text | document

`reading` alone talks to Redis, and only reads. Words stand in `texts/`, in English and Chinese.
"""
