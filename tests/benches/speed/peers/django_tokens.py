"""A service that checks and creates tokens by django-rest-knox and by djangorestframework-api-key, in one file.

`django_tokens.py prepare` creates the tables in `DATABASE`, and a token of each; it prints them, one a line: knox's, the key.
gunicorn serves `application`. Nothing is in the way that these libraries do not need: no middleware, no session, the
connection to the table stays open, and commits do not wait for the disk, as SQLite's WAL allows it.
"""

import os
import sys

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path

settings.configure(
    DEBUG=False,
    SECRET_KEY="of a benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "knox", "rest_framework_api_key",
    ],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=10000",
            },
        }
    },
)
django.setup()

# What needs the settings.
from django.contrib.auth import get_user_model  # noqa: E402
from knox.auth import TokenAuthentication  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402


class Knox(APIView):
    """GET says who a token is, POST creates one of somebody else: at each check knox reads all that the caller has."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username()})

    def post(self, request):
        _, token = AuthToken.objects.create(get_user_model().objects.get(username="bob"))
        return Response({"token": token}, status=201)


class Key(APIView):
    """The same with keys, which belong to nobody."""

    authentication_classes = []
    permission_classes = [HasAPIKey]

    def get(self, request):
        return Response({"active": True})

    def post(self, request):
        _, key = APIKey.objects.create_key(name="made")
        return Response({"key": key}, status=201)


urlpatterns = [path("knox", Knox.as_view()), path("key", Key.as_view())]
application = get_wsgi_application()

if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    ana, _ = (get_user_model().objects.create_user(name) for name in ("ana", "bob"))
    print(AuthToken.objects.create(ana)[1])
    print(APIKey.objects.create_key(name="first")[1])
