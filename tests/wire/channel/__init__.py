"""The channel against published vectors, an independent implementation, our own vectors and attackers."""
