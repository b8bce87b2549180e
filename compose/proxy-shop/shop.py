#!/usr/bin/python3
"""A shop on Django with three races: a lamp is sold twice, a coupon is used twice, a wallet is overdrawn.

It takes DATABASE_URL and knows no proxy. Started by: shop.py runserver --noreload 127.0.0.1:8001
POST /fix?enabled=true adds select_for_update() to the first read of each. It runs on Django 3.2 and later."""

import os
import sys
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.management import execute_from_command_line

url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:], "USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname, "PORT": url.port,
        "OPTIONS": {"options": "-c statement_timeout=30s"},
    }},
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.db.models import F  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

PRICE, CREDIT = 80, 10
is_fixed = False


class Product(models.Model):
    name = models.TextField(primary_key=True)
    stock = models.IntegerField()

    class Meta:
        app_label, db_table = "shop", "shop_products"


class Coupon(models.Model):
    code = models.TextField(primary_key=True)
    is_used = models.BooleanField()

    class Meta:
        app_label, db_table = "shop", "shop_coupons"


class Customer(models.Model):
    name = models.TextField(primary_key=True)
    wallet = models.IntegerField()
    credit = models.IntegerField()

    class Meta:
        app_label, db_table = "shop", "shop_customers"


class Order(models.Model):
    product = models.TextField()

    class Meta:
        app_label, db_table = "shop", "shop_orders"


MODELS = (Product, Coupon, Customer, Order)


def read(model, key):
    """The first read of each request. The fix is here: it locks the row."""
    rows = model.objects.select_for_update() if is_fixed else model.objects
    return rows.get(pk=key)


def answer(done, words):
    return JsonResponse({"status": "done" if done else "refused", "message": words}, status=200 if done else 409)


@csrf_exempt
@transaction.atomic
def buy(_request):
    lamp = read(Product, "lamp")
    if lamp.stock < 1:
        return answer(False, "sold out")
    lamp.stock -= 1
    lamp.save()
    Order.objects.create(product="lamp")
    return answer(True, "the lamp is yours")


@csrf_exempt
@transaction.atomic
def redeem(_request):
    coupon = read(Coupon, "WELCOME")
    if coupon.is_used:
        return answer(False, "the coupon was used")
    coupon.is_used = True
    coupon.save()
    Customer.objects.filter(pk="ann").update(credit=F("credit") + CREDIT)
    return answer(True, f"{CREDIT} credited")


@csrf_exempt
@transaction.atomic
def pay(_request):
    if read(Customer, "ann").wallet < PRICE:
        return answer(False, "not enough money")
    Customer.objects.filter(pk="ann").update(wallet=F("wallet") - PRICE)
    return answer(True, f"{PRICE} paid")


def state(_request):
    ann = Customer.objects.get(pk="ann")
    return JsonResponse({"lamps": Product.objects.get(pk="lamp").stock, "orders": Order.objects.count(),
                         "coupon_used": Coupon.objects.get(pk="WELCOME").is_used, "credit": ann.credit,
                         "wallet": ann.wallet, "fixed": is_fixed})


@csrf_exempt
def reset(_request):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE " + ", ".join(model._meta.db_table for model in MODELS))
    fill()
    return JsonResponse({"status": "reset"})


@csrf_exempt
def fix(request):
    global is_fixed
    is_fixed = request.GET["enabled"] == "true"
    return JsonResponse({"fixed": is_fixed})


def fill():
    Product.objects.bulk_create([Product("lamp", 1)])
    Coupon.objects.bulk_create([Coupon("WELCOME", False)])
    Customer.objects.bulk_create([Customer("ann", 100, 0)])


def make_tables():
    present = connection.introspection.table_names()
    if Product._meta.db_table in present:
        return
    with transaction.atomic(), connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)
    fill()
    connection.close()


urlpatterns = [path("buy", buy), path("redeem", redeem), path("pay", pay), path("state", state),
               path("reset", reset), path("fix", fix)]

if __name__ == "__main__":
    make_tables()
    execute_from_command_line(sys.argv)
