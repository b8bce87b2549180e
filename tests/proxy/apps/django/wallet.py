"""A wallet on Django. It takes DATABASE_URL; it knows no proxy. Started by: gunicorn --threads 4 wallet:application"""

import os
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings

url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:], "USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname, "PORT": url.port,
        "CONN_MAX_AGE": None,  # one session for each thread
        "OPTIONS": {"options": "-c statement_timeout=30s"},
    }},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.db.models import F  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402


class Wallet(models.Model):
    id = models.TextField(primary_key=True)
    balance = models.IntegerField()

    class Meta:
        app_label = "wallet"
        db_table = "wallets"
        managed = False


def plain(key, amount):
    wallet = Wallet.objects.get(pk=key)
    if wallet.balance < amount:
        return False
    wallet.balance -= amount
    wallet.save()
    return True


@transaction.atomic
def lock(key, amount):
    wallet = Wallet.objects.select_for_update().get(pk=key)
    if wallet.balance < amount:
        return False
    wallet.balance -= amount
    wallet.save()
    return True


def guard(key, amount):
    if Wallet.objects.get(pk=key).balance < amount:
        return False
    return Wallet.objects.filter(pk=key, balance__gte=amount).update(balance=F("balance") - amount) == 1


HOW = {"plain": plain, "lock": lock, "guard": guard}


@csrf_exempt
def withdraw(request, how):
    paid = HOW[how](request.GET["id"], int(request.GET["amount"]))
    return HttpResponse("paid\n" if paid else "refused\n", status=200 if paid else 409)


urlpatterns = [path("withdraw/<how>", withdraw)]
application = get_wsgi_application()
