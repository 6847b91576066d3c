"""The settings of a site in production: nothing is served by Django that the server can serve."""

import os
from pathlib import Path

#: Where the database, the collected static files and the uploads lie: a folder of the test.
DATA = Path(os.environ['SHOP_DATA'])

SECRET_KEY = 'only for tests, and long enough that nobody is warned of it'
DEBUG = False
ALLOWED_HOSTS = ['localhost', '127.0.0.1']
ROOT_URLCONF = 'django_shop.urls'
WSGI_APPLICATION = 'django_shop.wsgi.application'
ASGI_APPLICATION = 'django_shop.asgi.application'
USE_TZ = True

INSTALLED_APPS = [
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.messages',
    'django.contrib.sessions',
    'django.contrib.staticfiles',
    'channels',
]
MIDDLEWARE = [
    'django.middleware.security.SecurityMiddleware',
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.common.CommonMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
]
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'APP_DIRS': True,
        'OPTIONS': {
            'context_processors': [
                'django.template.context_processors.request',
                'django.contrib.auth.context_processors.auth',
                'django.contrib.messages.context_processors.messages',
            ],
        },
    },
]
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': DATA / 'shop.sqlite3'}}
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
# Quick to compute: what is tested is that the password is asked for.
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']

STATIC_URL = 'static/'
STATIC_ROOT = DATA / 'static'
MEDIA_URL = 'media/'
MEDIA_ROOT = DATA / 'media'

CHANNEL_LAYERS = {'default': {'BACKEND': 'channels.layers.InMemoryChannelLayer'}}
