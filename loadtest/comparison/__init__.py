"""Every strategy side by side: forced rounds, load, and how it is told."""
