"""The pages of the project: the admin, an upload, streams, and what a request says of itself."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.contrib import admin
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse('Hello from Django\n', content_type='text/plain')


def seen(request: HttpRequest) -> JsonResponse:
    """What Django makes of the request."""
    return JsonResponse(
        {
            'method': request.method,
            'path': request.path,
            'path_info': request.path_info,
            'query': request.GET.dict(),
            'secure': request.is_secure(),
            'uri': request.build_absolute_uri(),
            'client': request.META['REMOTE_ADDR'],
            'admin': reverse('admin:index'),
            'static': settings.STATIC_URL,
        }
    )


@csrf_exempt
def upload(request: HttpRequest) -> JsonResponse:
    """Keep a file below MEDIA_ROOT; tell its digest, and where it is found."""
    content = request.FILES['file']
    digest = hashlib.sha256()
    for chunk in content.chunks():
        digest.update(chunk)
    name = default_storage.save(content.name, content)
    answer = {'sha256': digest.hexdigest(), 'url': default_storage.url(name)}
    return JsonResponse({**answer, 'note': request.POST['note'], 'size': content.size})


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(default_storage.open(request.GET['name']), as_attachment=True)


def lines(request: HttpRequest) -> StreamingHttpResponse:
    def produce() -> Iterator[str]:
        for number in range(1000):
            yield f'line {number}\n'

    return StreamingHttpResponse(produce(), content_type='text/plain')


async def wait(request: HttpRequest) -> StreamingHttpResponse:
    async def produce() -> AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f'{number} '

    return StreamingHttpResponse(produce(), content_type='text/plain')


#: What has become of the views that wait, by who asked.
waiting: dict[str, str] = {}


async def patient(request: HttpRequest) -> HttpResponse:
    """Wait for what never comes, as long as the client does."""
    who = request.GET['who']
    waiting[who] = 'waits'
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        waiting[who] = 'is cancelled'
        raise
    return HttpResponse('for nobody')


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError('the view fails')


urlpatterns = [
    path('', hello),
    path('admin/', admin.site.urls),
    path('seen/<path:rest>', lambda request, rest: seen(request)),
    path('upload/', upload),
    path('download/', download),
    path('lines/', lines),
    path('wait/', wait),
    path('patient/', patient),
    path('waiting/', lambda request: JsonResponse(waiting)),
    path('fail/', fail),
]
