# One image for everything; the command chooses: api (the default), worker, migrate, doctor …
#
# The base is named by its exact release, the same in both stages. To renew it, write the newest
# release of 3.11-slim-bookworm in both places, then `make check` and `docker compose up --build`.
FROM python:3.11.15-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /build
COPY pyproject.toml constraints.txt LICENSE README.md ./
COPY src src
# Every dependency comes as a wheel: there is no compiler here, nor need for one.
RUN python -m venv /opt/incident-service \
 && /opt/incident-service/bin/pip install --only-binary :all: --constraint constraints.txt .


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

WORKDIR /app
COPY --from=build /opt/incident-service /opt/incident-service
COPY alembic.ini ./
COPY migrations migrations

USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["incident-service"]
CMD ["api"]
