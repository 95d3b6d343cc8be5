"""Pyramid: GET with a query, a posted form, headers."""
from wsgiref.validate import validator

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response


def hello(request):
    response = Response(f"Hello, {request.GET['name']}!\n")
    response.headers['X-Agent'] = request.headers['User-Agent']
    return response


def form(request):
    return Response(f"{request.POST['a']} {len(request.POST['b'])}\n")


def moved(request):
    return HTTPFound('/hello?name=moved')


with Configurator() as config:
    for view in (hello, form, moved):
        config.add_route(view.__name__, '/' + view.__name__)
        config.add_view(view, route_name=view.__name__)
    application = config.make_wsgi_app()
    checked = validator(application)
