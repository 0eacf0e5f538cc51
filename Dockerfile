# asynq-exporter:  docker build -t asynq-exporter:0.1.0 .
# Nothing here knows the processor:  docker buildx build --platform linux/amd64,linux/arm64 -t asynq-exporter:0.1.0 .

FROM python:3.12.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/asynq-exporter
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE CHANGELOG.md ./
COPY exporter ./exporter
# The versions that are tested together; wheels only, so that no compiler is needed. The running image has no pip.
RUN /opt/asynq-exporter/bin/pip install --constraint constraints.txt --only-binary :all: --no-binary asynq-exporter '.[postgres]' \
    && /opt/asynq-exporter/bin/pip uninstall --yes pip \
    && /opt/asynq-exporter/bin/python -m compileall -q /opt/asynq-exporter/lib


FROM python:3.12.11-slim-bookworm

LABEL org.opencontainers.image.title="asynq-exporter" \
      org.opencontainers.image.description="Prometheus exporter and queue core for the Asynq task queue" \
      org.opencontainers.image.licenses="MIT"

# A number, so that Kubernetes' runAsNonRoot can see that it is not root.
RUN groupadd --gid 65532 exporter \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin exporter
COPY --from=build /opt/asynq-exporter /opt/asynq-exporter

ENV PATH=/opt/asynq-exporter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 9876
STOPSIGNAL SIGTERM

# The process, not Redis: restarting the exporter does not mend Redis. With TLS, basic authentication or another port
# give your own --health-cmd.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9876/-/healthy', timeout=4)"]

ENTRYPOINT ["asynq-exporter"]
CMD ["serve"]
