"""Lists that cost the same with a million rows: by position, never by number, and without a count."""

from typing import Any, Final

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

#: Rows on a page where the shop's REST_FRAMEWORK has no PAGE_SIZE.
DEFAULT_SIZE: Final = 50
LARGEST_SIZE: Final = 200


class NewestFirst(CursorPagination):
    """The latest rows first; ``next`` and ``previous`` are the addresses of the pages beside."""

    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = LARGEST_SIZE
    template = None

    def get_page_size(self, request: Request) -> int:
        """Return what the request asks for, or the shop's PAGE_SIZE."""
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return min(api_settings.PAGE_SIZE or DEFAULT_SIZE, LARGEST_SIZE)
        size = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= 3 else 0
        if not 1 <= size <= LARGEST_SIZE:
            raise ValidationError({"page_size": [_("Give a number from 1 to %(most)s.") % {"most": LARGEST_SIZE}]})
        return size

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        """Return the rows of a page; a position that is no number was never one of ours."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError):
            raise ValidationError({"cursor": [_("Take the cursor from next or previous.")]}) from None

    def decode_cursor(self, request: Request) -> Any:
        """Return the position in a request, if it has one.

        Raises:
            ValueError: it is not one of ours.
        """
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            raise ValueError from None
        if cursor is not None and cursor.position is not None and not str(cursor.position).isdigit():
            raise ValueError
        return cursor
