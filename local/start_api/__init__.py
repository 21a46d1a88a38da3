"""`make start-api`: the built template on localhost, under AWS's own Lambda runtime, without a container engine."""
