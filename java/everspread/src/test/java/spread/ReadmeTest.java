package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of the README compile. */
class ReadmeTest {

    private static final String IMPORTS =
            "import java.time.Duration; import java.util.Properties; import spread.*;"
                    + " import spread.ext.*; import spread.testing.*;"
                    + " import org.junit.jupiter.api.Test;"
                    + " import org.junit.jupiter.api.extension.RegisterExtension;\n";

    @Test
    void javaExamplesCompile(@TempDir Path directory) throws Exception {
        String readme =
                new String(
                        Files.readAllBytes(Paths.get("../../README.md")), StandardCharsets.UTF_8);
        Matcher blocks = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(readme);
        int count = 0;
        while (blocks.find()) {
            count++;
            String code = blocks.group(1);
            if (!code.contains("class ")) {
                code = "class Example { void run() throws Exception {\n" + code + "} }";
            }
            Path file = directory.resolve("Example" + count + ".java");
            Files.write(file, (IMPORTS + code).getBytes(StandardCharsets.UTF_8));
            int result =
                    ToolProvider.getSystemJavaCompiler()
                            .run(
                                    null,
                                    System.out,
                                    System.out,
                                    "-d",
                                    directory.toString(),
                                    "-cp",
                                    classPath(),
                                    file.toString());
            assertThat(result).as(code).isZero();
        }
        assertThat(count).isEqualTo(2);
    }

    /** That of these tests, with the test artifact and JUnit. */
    private static String classPath() {
        return String.join(
                File.pathSeparator,
                Arrays.asList(
                        System.getProperty("surefire.test.class.path", ""),
                        System.getProperty("java.class.path")));
    }
}
