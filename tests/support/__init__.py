"""What tests are made of: servers, clients, upstreams, and ways to wait. No test stands in it."""
