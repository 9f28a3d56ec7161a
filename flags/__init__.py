"""Decide: what does this caller get? Pure; the world goes in as parameters, the answer comes out."""
