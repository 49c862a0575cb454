"""What tests are built from: fakes with contracts, never mocks."""
