# The image of the gateway, of the one-shots beside it and of the file server: docs/deploy.md.
# Nothing in it depends on the processor: docker buildx build --platform linux/amd64,linux/arm64 .
ARG BASE=docker.io/library/debian:12.12-slim

FROM ${BASE} AS python
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 ca-certificates \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/*

FROM python AS builder
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
# A plant's own mirror: --build-arg PIP_INDEX_URL=https://…
ARG PIP_INDEX_URL
WORKDIR /source
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --constraint requirements.lock hatchling
COPY plant plant
COPY connectors connectors
COPY analytics analytics
COPY dashboards dashboards
COPY gateway gateway
COPY wheeltapper wheeltapper
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .
# Training needs these; a gateway loads none of them, and they are half of the size.
ARG WITHOUT="scikit-learn scipy joblib threadpoolctl river narwhals"
# Compiled here once for all: the root of the container cannot be written.
RUN python3 -m venv --without-pip /opt/wheeltapper \
 && /build/bin/pip --python /opt/wheeltapper/bin/python install --no-cache-dir --no-compile \
    --only-binary :all: --constraint requirements.lock /wheels/*.whl \
 && { test -z "${WITHOUT}" \
    || /build/bin/pip --python /opt/wheeltapper/bin/python uninstall --yes ${WITHOUT}; } \
 && /opt/wheeltapper/bin/python -m compileall -q --invalidation-mode unchecked-hash \
    /opt/wheeltapper/lib

FROM python
# 1000 is the user of InfluxDB's image as well: the files of the secrets are for one user alone.
RUN groupadd --gid 1000 wheeltapper \
 && useradd --uid 1000 --gid 1000 --home-dir /var/lib/wheeltapper --no-create-home wheeltapper \
 && install --directory --owner 1000 --group 1000 --mode 0700 /var/lib/wheeltapper \
    /secrets/console /secrets/grafana /secrets/models /secrets/store /secrets/tokens \
    /srv/boards /srv/kit /srv/models
COPY --from=builder /opt/wheeltapper /opt/wheeltapper
ENV PATH=/opt/wheeltapper/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 1000:1000
WORKDIR /var/lib/wheeltapper
ENTRYPOINT ["wheeltapper"]
CMD ["run", "/etc/wheeltapper/gateway.toml"]
