"""A Django project as `django-admin startproject` lays it out, asked over WSGI and over ASGI."""
