<?php
// What phpdotenv sees: `php readers.php FOLDER` prints one JSON object a file, in the order of their numbers, or `null`
// where it gives the file up.
error_reporting(E_ALL & ~E_DEPRECATED);
require 'Dotenv/autoload.php';

$folder = $argv[1];
$count = count(glob("$folder/*.env"));
for ($number = 0; $number < $count; $number++) {
    try {
        $values = Dotenv\Dotenv::parse(file_get_contents("$folder/$number.env"));
    } catch (Dotenv\Exception\ExceptionInterface) {
        $values = null;
    }
    echo json_encode($values === null ? null : (object) $values), "\n";
}
