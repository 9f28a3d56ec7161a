# The tools that build stay in the first stage.
FROM python:3.11-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /src

# dependencies first: this layer is made again only when a requirements file changes
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/crossfade \
 && /opt/crossfade/bin/pip install --require-hashes -r requirements.txt \
 && pip install --require-hashes -r requirements-build.txt

COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY backends backends
COPY flags flags
COPY rollouts rollouts
COPY routers routers
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/crossfade/bin/pip install --no-deps /wheels/*.whl


FROM python:3.11-slim

ENV PATH=/opt/crossfade/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CROSSFADE_DATA_DIR=/data

# a number, so that Kubernetes can tell that it is not root; only /data is ever written
RUN install -d -m 0700 -o 10001 -g 10001 /data
COPY --from=build /opt/crossfade /opt/crossfade

USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]

ENTRYPOINT ["crossfade"]
CMD ["serve", "--host", "0.0.0.0"]
