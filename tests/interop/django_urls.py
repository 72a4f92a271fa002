"""The addresses of the Django site. Read when it is configured: mozilla-django-oidc looks at the settings at once."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path


def me(request: HttpRequest) -> HttpResponse:
    """Who is signed in."""
    return JsonResponse({"email": request.user.email})  # type: ignore[union-attr]


urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls")), path("me", login_required(me))]
