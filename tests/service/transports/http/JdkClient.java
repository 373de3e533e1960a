import java.io.ByteArrayOutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;

/** Posts a photo in each form with the JDK's own clients as they are, and prints a line for each answer. */
public class JdkClient {
  static final HttpClient CLIENT = HttpClient.newHttpClient(); // offers HTTP/2 with each first request

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0] + "/v1/segment", boxes = "?boxes=22,15,365,512";
    Path photo = Path.of(arguments[1]);
    byte[] image = Files.readAllBytes(photo);

    send("file", url + boxes, "image/jpeg", HttpRequest.BodyPublishers.ofFile(photo));
    send("bytes", url + boxes, null, HttpRequest.BodyPublishers.ofByteArray(image));
    send("stream", url + boxes, "image/jpeg", HttpRequest.BodyPublishers.ofInputStream(() -> {
      try {
        return Files.newInputStream(photo);
      } catch (Exception error) {
        throw new RuntimeException(error);
      }
    }));

    ByteArrayOutputStream parts = new ByteArrayOutputStream();
    parts.write(("--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"photo.jpg\"\r\n"
        + "Content-Type: image/jpeg\r\n\r\n").getBytes(StandardCharsets.UTF_8));
    parts.write(image);
    parts.write(("\r\n--b\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n"
        + "{\"boxes\": [[22, 15, 365, 512]]}\r\n--b--\r\n").getBytes(StandardCharsets.UTF_8));
    send("multipart", url, "multipart/form-data; boundary=b",
        HttpRequest.BodyPublishers.ofByteArray(parts.toByteArray()));

    String text = Base64.getMimeEncoder().encodeToString(image).replace("\r\n", "\\r\\n");
    String json = "{\"boxes\": [[22, 15, 365, 512]], \"image\": \"" + text + "\"}";
    send("json", url, "application/json", HttpRequest.BodyPublishers.ofString(json));

    HttpURLConnection old = (HttpURLConnection) new URL(url + boxes).openConnection();
    old.setDoOutput(true);
    old.setRequestProperty("Content-Type", "image/jpeg");
    old.getOutputStream().write(image);
    String answer = new String(old.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    print("HttpURLConnection", old.getResponseCode(), old.getContentType(), answer);

    HttpRequest head = HttpRequest.newBuilder(URI.create(arguments[0] + "/readyz"))
        .method("HEAD", HttpRequest.BodyPublishers.noBody()).build();
    System.out.println("head " + CLIENT.send(head, HttpResponse.BodyHandlers.ofString()).statusCode());
  }

  static void send(String name, String url, String type, HttpRequest.BodyPublisher body) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).POST(body);
    if (type != null) {
      request.header("Content-Type", type);
    }
    HttpResponse<String> answer = HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    print(name, answer.statusCode(), answer.headers().firstValue("content-type").orElse(""), answer.body());
  }

  static void print(String name, int status, String type, String body) {
    System.out.println(name + " " + status + " " + type + " " + body.split("\"area\":").length);
  }
}
