"""The channel: an authenticated, encrypted, hybrid post-quantum pipe, from the Noise framework's parts."""
