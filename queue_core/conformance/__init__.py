"""The contract of a store as tests, for everybody who writes one: ``pytest --pyargs queue_core.conformance --prinia-store mine:///{folder}/tasks``.

Needs pytest and pytest-asyncio: ``pip install "prinia[conformance]"``. After each test the store's books must balance. See docs/writing-a-backend.md.
"""
