"""Django: GET with a query, a posted form, headers."""
from wsgiref.validate import validator

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=['localhost'], SECRET_KEY='for tests',
                   DATA_UPLOAD_MAX_MEMORY_SIZE=None)


def hello(request):
    response = HttpResponse(f"Hello, {request.GET['name']}!\n")
    response['X-Agent'] = request.headers['User-Agent']
    return response


def form(request):
    return HttpResponse(f"{request.POST['a']} {len(request.POST['b'])}\n")


def moved(request):
    return HttpResponseRedirect('/hello?name=moved')


urlpatterns = [path('hello', hello), path('form', form), path('moved', moved)]
application = get_wsgi_application()
checked = validator(application)
