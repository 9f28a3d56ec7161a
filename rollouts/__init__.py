"""Steer: may the percentage go on, or must it go back? Pure: the log, the flag and the clock are parameters."""
