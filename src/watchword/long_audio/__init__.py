"""Long audio: minutes and hours with reference events → rates that one can ship on.

A room of rooms because recordings that last, unlike clips, are measured in false accepts per hour.
"""
