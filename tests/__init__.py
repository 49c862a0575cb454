"""The tests: wire, tracker and peer mirror the packages; e2e runs the programs; house reads the code."""
