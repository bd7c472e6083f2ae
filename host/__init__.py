"""Ground floor: what the programs share. It imports nobody of ours, and the standard library only."""
