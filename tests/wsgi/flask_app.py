"""Flask: GET with a query, a posted form, headers."""
from wsgiref.validate import validator

from flask import Flask, make_response, request

app = Flask(__name__)


@app.route('/hello')
def hello():
    response = make_response(f"Hello, {request.args['name']}!\n")
    response.headers['X-Agent'] = request.headers['User-Agent']
    return response


@app.route('/form', methods=['POST'])
def form():
    return f"{request.form['a']} {len(request.form['b'])}\n"


@app.route('/moved')
def moved():
    return '', 302, {'Location': '/hello?name=moved'}


application = app
checked = validator(application)
