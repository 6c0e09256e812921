from django.views.generic import View


class PayView(View):
    pass


class ReturnView(View):
    pass
