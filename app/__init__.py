"""Serve: who asks, where is it kept, what happened? All input and output lives here."""
