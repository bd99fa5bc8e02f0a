"""Other people's stores: what they have, and how results travel."""
