# escape=`
FROM mcr.microsoft.com/windows/servercore:ltsc2022 AS tools
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop';"]
RUN Invoke-WebRequest -Uri https://example.com/tool.zip -OutFile C:\tool.zip ; `
    Expand-Archive C:\tool.zip -DestinationPath C:\tool ; `
    Remove-Item C:\tool.zip

FROM mcr.microsoft.com/windows/nanoserver:ltsc2022
COPY --from=tools C:\tool\ C:\tool\
ENV PATH=C:\tool;${PATH}
WORKDIR C:\app
USER ContainerUser
CMD C:\tool\run.exe `
    --verbose
