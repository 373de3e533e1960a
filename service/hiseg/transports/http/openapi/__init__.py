"""The API as OpenAPI describes it, for people who try it out at ``/docs`` and programs that make clients of it."""
