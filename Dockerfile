# One image for everything; the command chooses: api (the default), worker, migrate, doctor …
# What healthy means depends on the command, so docker-compose.yml says it, and not this file.
#
# The base is named by its exact release, the same in both stages. To renew it, write the newest
# release of 3.11-slim-bookworm in both places, then `make check` and `docker compose up --build`.
FROM python:3.11.15-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /build
COPY pyproject.toml constraints.txt LICENSE README.md ./
COPY src src
# Every dependency comes as a wheel: there is no compiler here, nor need for one. The environment
# is filled from outside: what runs later needs no pip of its own.
RUN python -m venv --without-pip /opt/incident-service \
 && python -m pip --python /opt/incident-service install \
      --only-binary :all: --constraint constraints.txt '.[otel]'

WORKDIR /app
COPY alembic.ini ./
COPY migrations migrations
# Files keep the modes of the checkout, which may be closed to all but its owner.
RUN chmod -R a+rX /app


FROM python:3.11.15-slim-bookworm

LABEL org.opencontainers.image.title="incident-service" \
      org.opencontainers.image.licenses="Apache-2.0"

# The number is fixed, so that files which are mounted in can be given to it.
RUN groupadd --gid 10001 incident-service \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent \
            --shell /usr/sbin/nologin incident-service

ENV PATH=/opt/incident-service/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    INCIDENT_SERVICE_HOST=0.0.0.0

# `migrate` looks for alembic.ini in the directory that it is run in.
WORKDIR /app
COPY --from=build /opt/incident-service /opt/incident-service
COPY --from=build /app /app

USER 10001:10001
EXPOSE 8080 8081
ENTRYPOINT ["incident-service"]
CMD ["api"]
