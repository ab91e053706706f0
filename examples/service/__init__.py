"""A web service with background tasks, in three modules: what it has, what it does in the background, and what it answers.

cd examples
uvicorn service.web:web                       # web pages, worker and board in one process
WORKER=elsewhere uvicorn service.web:web      # or the worker in a process of its own:
prinia worker service.tasks:queue
"""
