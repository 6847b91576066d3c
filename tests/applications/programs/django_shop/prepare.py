"""What is done before a release is served: the database, the static files, somebody who may log in."""

import os

import django
from django.core.management import call_command

os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'django_shop.settings')


def main() -> None:
    django.setup()
    from django.contrib.auth.models import User

    call_command('migrate', verbosity=0)
    call_command('collectstatic', verbosity=0, interactive=False)
    User.objects.create_superuser('ada', password='open sesame')


if __name__ == '__main__':
    main()
